"""Loads under cProfile, trace, tracemalloc and faulthandler."""

import cProfile
import faulthandler
import io
import pickle
import pstats
import sys
import trace
import tracemalloc

faulthandler.enable()
tracemalloc.start(10)
stream = b"\x80\x04\x8c\x09fractions\x8c\x08Fraction\x93K\x01K\x02\x86R."
profile = cProfile.Profile()
print(profile.runcall(pickle.loads, stream))
tracer = trace.Trace(count=1, trace=0)
print(tracer.runfunc(pickle.loads, b"\x80\x04\x8c\x0bmailcap_not\x8c\x01a\x93." if False else b"\x80\x04\x8c\x0estatistics\x8c\x0aNormalDist\x93K\x01K\x02\x86R." if False else stream))
faulthandler.dump_traceback_later(100)
pickle.loads(stream)
faulthandler.cancel_dump_traceback_later()
pstats.Stats(profile, stream=io.StringIO()).print_stats()
print(tracemalloc.get_traced_memory()[0] > 0)
sys.setprofile(lambda *args: None)
print(pickle._loads(stream))
sys.setprofile(None)
