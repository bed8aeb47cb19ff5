import time, traceback, json
from collections import Counter
import s3fs
from tests.end_to_end.test_object_store import *


def test_count(databases, policy, template, new_bucket, tmp_path):
    counts = Counter()
    with databases(tmp_path / "x", like=template) as other:
        stored = other.model_copy(update={"lake": new_bucket()})
        import pipeline.lake.storage as st, pipeline.engine.objects as ob
        from pipeline.lake.storage import ObjectStore

        step = ["-"]
        for name in ("found", "read", "version", "put", "put_file", "open", "remove"):
            real = getattr(ObjectStore, name)

            def wrap(self, *a, _r=real, _n=name, **k):
                st_ = traceback.extract_stack(limit=9)
                who = [
                    f"{x.filename.rsplit('/', 1)[-1]}:{x.name}"
                    for x in st_
                    if "/pipeline/" in x.filename and "storage" not in x.filename
                ][-3:]
                counts[(_n, " < ".join(reversed(who)))] += 1
                return _r(self, *a, **k)

            setattr(ObjectStore, name, wrap)
        orig = s3fs.S3FileSystem._call_s3
        calls = Counter()

        async def spy(self, m, *a, **k):
            calls[m] += 1
            return await orig(self, m, *a, **k)

        s3fs.S3FileSystem._call_s3 = spy
        t = time.process_time()
        w = time.time()
        prog = []
        rate_month(LAST, stored, policy, models=MODELS)
        out = [f"cpu {time.process_time() - t} wall {time.time() - w}", str(calls)] + [
            f"{n} {k}" for k, n in counts.most_common(40)
        ]
        open("/tmp/a-store/counts.txt", "w").write("\n".join(out))
