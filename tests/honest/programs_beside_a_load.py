"""git, a compiler, what it made, and tools in a pipeline are started while another thread has a load open."""
# needs: ctypes

import os
import pickle
import re
import subprocess
import tempfile
import threading

os.chdir(tempfile.mkdtemp())
opened, over = threading.Event(), threading.Event()


class Held:
    def __setstate__(self, state):
        opened.set()
        over.wait()


held = Held()
held.x = 1
thread = threading.Thread(target=pickle.loads, args=(pickle.dumps([re.compile("a+"), held]),))
thread.start()
opened.wait()


def sh(script):
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    print(done.returncode, done.stdout, done.stderr, sep="\n")


sh("git init -q . && git config user.email a@b && git config user.name a && echo x >x && git add x &&"
   " git commit -qm x && git log --format=%s && git gc -q && git status --short")
with open("smi.c", "w") as file:
    file.write(r"""
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
	int fd = open("/dev/null", O_RDWR);
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FILE *log = fopen("log", "w");
	fprintf(log, "%d %d", fd >= 0, map != MAP_FAILED);
	return puts("| 0  GPU |") < 0;
}
""")
sh("gcc -O1 -o smi smi.c && ./smi && cat log")
sh("gcc -static -o smi smi.c && ./smi && cat log")
sh("gcc -shared -fPIC -o libsmi.so -x c - </dev/null && ls libsmi.so")
sh("seq 1 1000 | sort -rn | tee all | awk '{ n += $1 } END { print n }' | xargs -I{} echo sum {}")
sh("for i in 1 2 3 4 5 6 7 8 9 10; do (mkdir d$i; mv d$i e$i; ln -s e$i f$i; chmod 700 e$i; rmdir e$i) & done; wait;"
   " rm -f f*; ls")
over.set()
thread.join()
print("over")
