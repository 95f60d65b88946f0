"""The binary to deploy: compiled, watched under load, and compiled again by what was seen (profile-guided optimisation).

What runs often is laid out together and inlined, what never ran is made small: a fifth to a quarter fewer instructions in
user space for a request or a query (`bench/profile --callgrind --deepwater PATH` counts them).
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import guards, load, measure, postgres, tools
from .cases import HEADLINE
from .process import Failure
from .setting import prepared, started

# A second of each is enough: what counts is which way the code goes, not how often.
SECONDS = 1.0
HTTP_CASES = ("h1-*-64", "tls-*-64", "h2-*-64", "cached-*-64")
POSTGRES_CASES = ("pg-select-*-1", "pg-*-16", "pg-*-64")


def main():
    """Exit codes as of bench/run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    argparse.ArgumentParser(
        prog="bench/optimise",
        description="Builds the binary to deploy: compiled, watched under load, compiled again by what was seen. "
        "Two release builds and two minutes of load.",
    ).parse_args()
    try:
        # Before a build of minutes: what would be missing after it.
        merge = _profdata()
        tools.require(sorted(tools.HTTP_DRIVERS | postgres.PROGRAMS))
        path = _optimised(merge)
    except Failure as failure:
        tools.say(f"bench/optimise: {failure}")
        return failure.status
    except KeyboardInterrupt:
        return 130
    print(path)
    return 0


def _optimised(merge):
    # Not where cargo looks for its own. Counts go to the same folder each time: flags that change are a build from nothing.
    kept = tools.target() / "optimised" / "deepwater"
    seen = kept.parent / "seen"
    shutil.rmtree(seen, ignore_errors=True)
    seen.mkdir(parents=True)
    tools.say("1 of 3: building a binary that counts which way its code goes")
    counting = _build(f"-Cprofile-generate={seen}")
    tools.say("2 of 3: putting load on it")
    _train(counting)
    tools.say("3 of 3: building it again by what was seen")
    # A name of its own each time, else cargo would not build again.
    with tempfile.TemporaryDirectory(prefix="deepwater-optimise-") as directory:
        profile = Path(directory) / "deepwater.profdata"
        tools.output([merge, "merge", "-o", str(profile), str(seen)])
        return shutil.copy2(_build(f"-Cprofile-use={profile}"), kept)


def _train(binary):
    run = [sys.executable, "-B", str(tools.BENCH / "run"), "--peers", "deepwater", "--deepwater", str(binary)]
    run += ["--rounds", "1", "--seconds", str(SECONDS), "--json", os.devnull]
    for chosen in (HTTP_CASES, POSTGRES_CASES):
        tools.output(run + [part for case in chosen for part in ("--case", case)])
    header = f"Authorization: Bearer {guards.token()}"
    with prepared(None, SECONDS) as setting:
        for guard in guards.GUARDS:
            peer = guards.guarded(guard, str(binary))
            with started(setting, peer):
                measure.under_load(setting, peer, load.Wrk(HEADLINE, peer.port("h1"), (header,)))


def _build(flags):
    """The binary of a release build with these flags of rustc."""
    host = tools.output(["rustc", "-vV"]).split("host: ")[1].split()[0]
    # With a target named, flags are not those of build scripts.
    command = ["cargo", "build", "--quiet", "--release", "--locked", "-p", "deepwater", "--target", host]
    flags = f"{os.environ.get('RUSTFLAGS', '')} {flags}".strip()
    if subprocess.run(command, cwd=tools.REPOSITORY, env=dict(os.environ, RUSTFLAGS=flags)).returncode != 0:
        raise Failure(f"{' '.join(command)} failed with RUSTFLAGS={flags}")
    return tools.target() / host / "release" / "deepwater"


def _profdata():
    """LLVM's tool for profiles: that of the compiler, which alone is sure to read its format."""
    tool = Path(tools.output(["rustc", "--print", "target-libdir"]).strip()).parent / "bin" / "llvm-profdata"
    if not tool.exists() and shutil.which("rustup"):
        tools.say("adding the compiler's llvm-tools")
        subprocess.run(["rustup", "component", "add", "llvm-tools"], capture_output=True)
    if not tool.exists():
        raise Failure(f"{tool} is missing. Run: rustup component add llvm-tools")
    return str(tool)
