"""What must not land: paths of one machine, notes to oneself, unexpected files at the top, lines that end in blanks, a
lock file that names a package registry."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
SKIP_SUFFIX = {".png", ".svg", ".pcap", ".bin"}

# Written so that this file does not find itself.
RULES = [
    ("a path of one machine", re.compile(r"/(?:work|ro" r"ot|ho" r"me/[a-z]+|Us" r"ers)/[a-z]"), {"README.md"}),
    ("a note to oneself", re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b(?!XX)"), set()),
    ("a blank at the end of a line", re.compile(r"[ \t]+$"), set()),
]

# What people expect at the top of a repository, and nothing else.
TOP = {".ci", ".clang-format", ".clang-tidy", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md",
       "SECURITY.md", "acl", "auth", "broker", "conf", "debian", "man", "meson.build", "meson_options.txt", "tests", "tools"}


def tracked():
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"],
                            capture_output=True, check=False)
    if listed.returncode != 0 or not listed.stdout:
        print("not a git checkout: nothing to check")
        sys.exit(77)
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and path.suffix not in SKIP_SUFFIX and "/corpus/" not in name and "/dashboard/dist/" not in name:
            yield name, path


def check_text(name, text, errors):
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern, but in RULES:
            if Path(name).name not in but and pattern.search(line):
                errors.append(f"{name}:{number}: {what}: {line.strip()[:90]}")
    if text and not text.endswith("\n"):
        errors.append(f"{name}: no newline at the end")


def main():
    errors, count = [], 0
    for name, path in tracked():
        if name.split("/")[0] not in TOP:
            errors.append(f"{name}: does not belong at the top of the repository")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        count += 1
        check_text(name, text, errors)
        if path.name == "package-lock.json" and '"resolved"' in text:
            errors.append(f"{name}: names a registry: npm install --omit-lockfile-registry-resolved")
    print("\n".join(errors) or f"{count} files are clean")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
