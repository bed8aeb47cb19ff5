"""The URL of a lake in an object store, and which package speaks to that store.

Credentials come from where the store's own client looks for them: for S3 the AWS_* variables, a file that
AWS_SHARED_CREDENTIALS_FILE names, or the role of the machine. They are no part of a URL.
"""

import re

PACKAGES = {"s3": "s3fs", "abfs": "adlfs", "gs": "gcsfs"}
"""By scheme, the package that speaks to the store; the extra of ours that installs it has the scheme's name."""


def is_url(where: object) -> bool:
    return isinstance(where, str) and "://" in where


def checked(url: str) -> str:
    """The URL without a slash at its end; ValueError, which repeats nothing of it, where it cannot name a lake."""
    scheme, _, rest = url.strip().partition("://")
    if scheme not in PACKAGES:
        raise ValueError(f"write a folder, or {', '.join(f'{name}://...' for name in PACKAGES)}")
    container, _, prefix = rest.partition("/")
    user, at, _ = container.rpartition("@")
    if ":" in user or (at and scheme != "abfs") or "?" in rest:
        raise ValueError(
            f"has credentials in it: write {scheme}://bucket/prefix, and let the store's own variables hold them "
            "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3)"
        )
    if not container or not re.fullmatch(r"[\w.@-]+", container) or not re.fullmatch(r"[\w./=+-]*", prefix):
        raise ValueError(f"write {scheme}://bucket/prefix, of letters, digits and ._-")
    return f"{scheme}://{container}/{prefix}".rstrip("/")


def gone(file: str) -> str:
    """What is said of a file that was there when its partition was looked up."""
    return f"lake file {file} is gone: another run has replaced or removed its partition meanwhile; run again"
