"""What a run needs: Debian packages, a certificate, the Deepwater binary and the paced load generator."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .process import Failure, Usage

REPOSITORY = Path(__file__).resolve().parents[2]
BENCH = REPOSITORY / "bench"
POLICY = Path("/usr/sbin/policy-rc.d")

# program -> (Debian package, system services that its installation switches on)
PACKAGES = {
    "nginx": ("nginx", ["nginx"]),
    "haproxy": ("haproxy", ["haproxy"]),
    "varnishd": ("varnish", ["varnish", "varnishncsa"]),
    "wrk": ("wrk", []),
    "h2load": ("nghttp2-client", []),
    "openssl": ("openssl", []),
    "taskset": ("util-linux", []),
    "pgbouncer": ("pgbouncer", ["pgbouncer"]),
    **{program: ("postgresql-client", []) for program in ("psql", "createdb", "pg_isready")},
    **{program: ("postgresql", ["postgresql"]) for program in ("postgres", "initdb", "pgbench")},
    "perf": ("linux-perf", []),
    "valgrind": ("valgrind", []),
}

# What drives and answers HTTP; nginx is the origin.
HTTP_DRIVERS = frozenset({"nginx", "wrk", "h2load", "openssl", "taskset"})


def require(programs):
    """Makes sure that the programs are there: installs their packages as root, else says how to."""
    missing = [program for program in programs if not find(program)]
    if not missing:
        return
    packages = sorted({PACKAGES[program][0] for program in missing})
    if os.geteuid() != 0:
        raise Usage(f"missing: {', '.join(missing)}. Run: sudo apt-get install {' '.join(packages)}")
    say(f"installing {' '.join(packages)}")
    services = [service for program in missing for service in PACKAGES[program][1]]
    _install(packages, services)


def find(program):
    """Path of a program; system directories count even where they are not in PATH.

    PostgreSQL's come first, the newest version's: Debian puts a wrapper in Perl before them, or nothing.
    """
    own = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    first = shutil.which(program, path=":".join(map(str, own))) if own else None
    return first or shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")


def _version(directory):
    number = directory.parent.name
    return int(number) if number.isdigit() else 0


def _install(packages, services):
    # Installing a server must not start it: policy-rc.d says no while apt runs (invoke-rc.d(8)).
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    try:
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True)
            if done.returncode != 0:
                raise Failure(f"apt-get {' '.join(command)} failed:\n{done.stderr or done.stdout}")
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
    for service in services:
        # Nor at the next boot.
        if shutil.which("systemctl"):
            subprocess.run(["systemctl", "disable", "--now", service], capture_output=True)


def certificate(directory):
    """A self-signed P-256 certificate for localhost; returns (certificate, key, both in one file)."""
    cert, key, both = (directory / name for name in ("cert.pem", "key.pem", "both.pem"))
    output(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(cert)]
    )
    both.write_text(cert.read_text() + key.read_text())
    return cert, key, both


def rust_program(directory, name):
    """Builds `bench/NAME.rs`, the paced load or the slow application; None without a Rust compiler."""
    rustc = find("rustc")
    if rustc is None:
        return None
    binary = directory / name
    if not binary.exists():
        output([rustc, "--edition", "2024", "-O", "-o", str(binary), str(BENCH / f"{name}.rs")])
    return binary


def deepwater(path, profile="release"):
    """The Deepwater binary: the given one, else this work tree's, built now."""
    if path:
        return given(path, "--deepwater")
    say(f"building deepwater ({profile})")
    command = ["cargo", "build", "--quiet", "--profile", profile, "-p", "deepwater"]
    if subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL).returncode != 0:
        raise Failure(f"{' '.join(command)} failed (measure the others alone with --peers nginx,haproxy,pgbouncer)")
    return target() / profile / "deepwater"


def target():
    """Where cargo puts what it builds of this work tree."""
    return (REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target")).resolve()


def given(path, option):
    """A program named on the command line."""
    binary = Path(path).resolve()
    if not os.access(binary, os.X_OK) or binary.is_dir():
        raise Usage(f"{option} {path}: no such program")
    return binary


def output(command):
    """What a command prints; a failure with its words if it ends otherwise than well."""
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise Failure(f"{command[0]} cannot be run: {error}") from error
    if done.returncode != 0:
        raise Failure(f"{command[0]} failed:\n{done.stderr}")
    return done.stdout


def say(text):
    """Progress goes to standard error; standard output is for results."""
    print(text, file=sys.stderr, flush=True)
