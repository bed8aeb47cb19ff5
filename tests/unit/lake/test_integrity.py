"""Whatever happens to a partition after it was written is found before it is read, and named."""

import json
import random
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import LakeError
from pipeline.lake import MANIFEST, Lake, fact_key
from pipeline.month import RatingMonth

MONTHS = list(RatingMonth.span(RatingMonth(2026, 1), RatingMonth(2026, 4)))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Four months of bills and their quarantine, of two files each."""
    lake = Lake(tmp_path_factory.mktemp("written") / "lake")
    for number, month in enumerate(MONTHS):
        for table in ("bills", "quarantine/bills"):
            with lake.writing(table, **{fact_key(table): month}) as partition:
                for part in range(2):
                    rows = pa.table({"n": [number, part, 7], "text": ["a", "b", "c" * number]})
                    pq.write_table(rows, partition.folder / f"part-{part}.parquet")
                partition.manifest(rows=6, sums={"n": number})
    return lake


@pytest.fixture
def lake(written, tmp_path):
    """A copy of it to damage."""
    shutil.copytree(written.root, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def read_all(lake) -> list:
    found = []
    for month in MONTHS:
        for table in ("bills", "quarantine/bills"):
            found += [pq.read_table(path).to_pydict() for path in lake.files(table, **{fact_key(table): month})]
    return found


def flip(path, draw):
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def truncate(path, draw):
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content))])


def delete(path, draw):
    path.unlink()


def swap(path, draw):
    """The whole partition, with another one's."""
    others = [folder for folder in path.parent.parent.iterdir() if folder != path.parent]
    other, aside = draw.choice(others), path.parent.parent / "aside"
    path.parent.rename(aside)
    other.rename(path.parent)
    aside.rename(other)


def add(path, draw):
    shutil.copy(path, path.parent / "part-9.parquet")


def replace(path, draw):
    """A file that another partition's could be mistaken for."""
    pq.write_table(pa.table({"n": [1, 2, 3], "text": ["x", "y", "z"]}), path)


@pytest.mark.parametrize("seed", range(200))
def test_damage_at_a_random_place_is_found_and_named(lake, seed):
    draw = random.Random(seed)
    path = draw.choice(sorted(lake.root.glob("**/*.parquet")) + sorted(lake.root.glob(f"**/{MANIFEST}")))
    harms = [flip, truncate, delete, swap] + ([add, replace] if path.suffix == ".parquet" else [])
    harm = draw.choice(harms)
    harm(path, draw)
    if harm is add:  # it is nobody's, and told
        assert len(read_all(Lake(lake.root))) == 16
        assert path.parent.name in str(list(lake.foreign()))
        return
    with pytest.raises(LakeError) as refused:
        read_all(Lake(lake.root))
    month = path.parent.name if harm is not swap else "recorded_month=2026-0"
    assert month in str(refused.value)
    assert "\n" not in str(refused.value)

    assert damaged(lake) or (harm is delete and path.name == MANIFEST)


def damaged(lake) -> list[str]:
    """What is said of the partitions that are not as they were written."""
    found = []
    for folder in lake.partitions():
        try:
            lake.check(folder)
        except LakeError as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"rows": 1, "sha256": "a", "files": ["../../x.parquet"]}',
        '{"rows": 1, "sha256": "a", "files": ["/etc/passwd"]}',
        '{"rows": "1", "sha256": "a", "files": []}',
        '{"rows": 1, "sha256": "a", "files": "part-0.parquet"}',
        "\ufeff{}",
    ],
)
def test_a_manifest_that_is_none_is_refused(lake, text):
    (lake.path("bills", recorded_month=MONTHS[0]) / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(LakeError, match=r"bills/recorded_month=2026-01 is damaged: .*_manifest\.json"):
        lake.files("bills", recorded_month=MONTHS[0])


def test_what_nobody_touched_is_read_and_one_of_before_its_own_hash_too(lake):
    whole = read_all(lake)
    path = lake.path("bills", recorded_month=MONTHS[0]) / MANIFEST
    older = json.loads(path.read_text())
    del older["manifest_sha256"], older["partition"]
    path.write_text(json.dumps(older))
    assert read_all(Lake(lake.root)) == whole
    assert not damaged(lake)
