"""The page in tools/dashboard: what is checked in under dist/ is what its source makes, twice the same; it is small, and no string of a
client can become HTML. Where Node.js or the modules of the lock file are missing (tools/dependencies check), nothing is built."""

import gzip
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
PAGE = ROOT / "tools/dashboard"
GZIP_BYTES = 160_000
# What would let a string in as HTML, or is forbidden by the page's policy.
DANGEROUS = re.compile(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|\sstyle=|\son[a-z]+=\"|srcdoc")


def contents(directory):
    """{name: bytes}, what is compressed unpacked: compressors differ between versions of Node.js."""
    return {path.name: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            for path in sorted(directory.iterdir())}


def build(directory):
    done = subprocess.run(["node", "build.mjs", str(directory)], cwd=PAGE, text=True, capture_output=True, check=False, timeout=120)
    return done.stdout + done.stderr if done.returncode != 0 else None


def check_build(errors):
    if shutil.which("node") is None or not (PAGE / "node_modules/esbuild").is_dir():
        print("nothing was built: Node.js or its modules are missing")
        return
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        failed = build(Path(first)) or build(Path(second))
        if failed:
            errors.append(f"the page cannot be built: {failed}")
            return
        raw = [{path.name: path.read_bytes() for path in Path(each).iterdir()} for each in (first, second)]
        if raw[0] != raw[1]:
            errors.append("two builds of the page differ")
        if contents(Path(first)) != contents(PAGE / "dist"):
            errors.append("tools/dashboard/dist is not what its source makes: run `node build.mjs` there")


def check_files(errors):
    dist = PAGE / "dist"
    found = contents(dist)
    for name, content in found.items():
        twin = name.removesuffix(".gz") if name.endswith(".gz") else name + ".gz"
        if found.get(twin) != content:
            errors.append(f"tools/dashboard/dist: {name} and {twin} differ")
    index = found.get("index.html", b"").decode()
    for name in re.findall(r'(?:src|href)="\./([^"]+)"', index):
        if name not in found:
            errors.append(f"tools/dashboard/dist/index.html names {name}, which is not there")
    if "://" in index:
        errors.append("tools/dashboard/dist/index.html asks somebody else")
    size = sum(path.stat().st_size for path in dist.glob("*.gz"))
    if size > GZIP_BYTES:
        errors.append(f"the page has {size} bytes with gzip, at most {GZIP_BYTES}")
    print(f"the page has {sum(len(content) for name, content in found.items() if not name.endswith('.gz'))} bytes, {size} with gzip")


def check_source(errors):
    for path in sorted((PAGE / "src").rglob("*")):
        if path.suffix not in (".js", ".html"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if found := DANGEROUS.search(line):
                errors.append(f"{path.relative_to(ROOT)}:{number}: {found[0].strip()}: strings of clients are text, and the page's policy forbids the rest")


def main():
    errors = []
    for check in (check_files, check_source, check_build):
        check(errors)
    print("\n".join(errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
