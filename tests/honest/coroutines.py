"""Loads in an event loop and in its worker threads."""

import asyncio
import pickle

stream = pickle.dumps({"a": 1})


async def main():
    loop = asyncio.get_running_loop()
    jobs = [loop.run_in_executor(None, pickle.loads, stream) for _ in range(20)]
    print(len(await asyncio.gather(*jobs)), pickle.loads(stream))
    process = await asyncio.create_subprocess_exec("true")
    print(await process.wait())


asyncio.run(main())
