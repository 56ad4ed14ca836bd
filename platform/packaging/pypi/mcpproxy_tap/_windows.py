"""A command as a child, for Windows, where a process cannot become another program.

One rule: the child has this process's streams, ends with it, and its exit code is this process's.
"""

from __future__ import annotations

import signal
import subprocess
from typing import Any, List, Mapping


def run(command: List[str], environ: Mapping[str, str]) -> int:
    """Runs the command to its end; its exit code, as ``sys.exit`` takes it. ``OSError`` if it does not start."""
    # The numbers, not the objects: what Python has made of its streams is nothing to the child.
    child = subprocess.Popen(command, env=dict(environ), stdin=0, stdout=1, stderr=2)
    # A console gives these to all its processes: the child decides, and this process waits.
    for name in ("SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            try:
                signal.signal(getattr(signal, name), signal.SIG_IGN)
            except ValueError:
                break  # Only the main thread may.
    job = _tie(child)
    code = child.wait()
    del job
    # Exit codes are unsigned on Windows, and `sys.exit` takes a C int.
    return code - 2**32 if code >= 2**31 else code


def _tie(child: "subprocess.Popen[bytes]") -> Any:
    """A job that ends the child when this process ends, however that comes; ``None`` where there is no such thing."""
    try:
        import ctypes
        from ctypes import wintypes

        class Basic(ctypes.Structure):
            _fields_ = [
                ("PerProcessUserTimeLimit", ctypes.c_int64),
                ("PerJobUserTimeLimit", ctypes.c_int64),
                ("LimitFlags", wintypes.DWORD),
                ("MinimumWorkingSetSize", ctypes.c_size_t),
                ("MaximumWorkingSetSize", ctypes.c_size_t),
                ("ActiveProcessLimit", wintypes.DWORD),
                ("Affinity", ctypes.c_size_t),
                ("PriorityClass", wintypes.DWORD),
                ("SchedulingClass", wintypes.DWORD),
            ]

        class Extended(ctypes.Structure):
            _fields_ = [
                ("BasicLimitInformation", Basic),
                ("IoInfo", ctypes.c_uint64 * 6),
                ("ProcessMemoryLimit", ctypes.c_size_t),
                ("JobMemoryLimit", ctypes.c_size_t),
                ("PeakProcessMemoryUsed", ctypes.c_size_t),
                ("PeakJobMemoryUsed", ctypes.c_size_t),
            ]

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        kernel.CreateJobObjectW.argtypes = [ctypes.c_void_p, wintypes.LPCWSTR]
        kernel.SetInformationJobObject.argtypes = [wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD]
        kernel.AssignProcessToJobObject.argtypes = [wintypes.HANDLE, wintypes.HANDLE]
        job = kernel.CreateJobObjectW(None, None)
        limits = Extended()
        # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE and JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK: tap has a job of its own
        # for the server.
        limits.BasicLimitInformation.LimitFlags = 0x2000 | 0x1000
        kernel.SetInformationJobObject(job, 9, ctypes.byref(limits), ctypes.sizeof(limits))
        kernel.AssignProcessToJobObject(job, int(child._handle))  # type: ignore[attr-defined]
        return job  # Open until this process ends: closing it is what ends the child.
    except (AttributeError, ImportError, OSError, ValueError):
        return None
