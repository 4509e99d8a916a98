"""What a program does after its loads is its own business."""

import os
import pickle
import subprocess
import sys
import tempfile
import threading

os.chdir(tempfile.mkdtemp())
pickle.loads(pickle.dumps([1]))
with open("x", "w") as file:
    file.write("x")
print(subprocess.run(["cat", "x"], capture_output=True).stdout)
exec("print('own code')")
os.environ["LD_LIBRARY_PATH"] = "/tmp"
if os.fork() == 0:
    os.execv("/bin/echo", ["echo", "replaced"])
os.wait()
thread = threading.Thread(target=lambda: os.system("true"))
thread.start()
thread.join()
sys.settrace(None)
