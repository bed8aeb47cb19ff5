"""Pages as files: put in place whole, so that a reader never opens half of one."""

from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.private import make_folder


def write(html: str, path: Path, way_out: str = "choose another file with --out") -> None:
    """Put a page in place whole; a folder is made. ConfigError where that cannot be."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        make_folder(path.parent)
        partial.write_text(html, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}; {way_out}") from None
