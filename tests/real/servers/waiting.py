"""A FastMCP server (both eras) whose tool takes its time: it reports progress, and says in a file that it
was cancelled.

    python waiting.py DIRECTORY
"""

import asyncio
import pathlib
import sys

from fastmcp import Context, FastMCP

server = FastMCP("waiting")


@server.tool
async def wait(context: Context, name: str, steps: int, seconds: float) -> dict:
    """Takes `steps` steps of `seconds` each; `DIRECTORY/name` tells how it went."""
    told = pathlib.Path(sys.argv[1], name)
    told.write_text("began")
    try:
        for step in range(1, steps + 1):
            await asyncio.sleep(seconds)
            await context.report_progress(step, steps)
    except asyncio.CancelledError:
        told.write_text("cancelled")
        raise
    told.write_text("done")
    return {"steps": steps}


if __name__ == "__main__":
    server.run(show_banner=False)
