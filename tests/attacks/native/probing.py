"""An installed module that asks the machine what it is when it is imported, as pandas does."""
import subprocess

machine = subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout
