"""Import this before Airflow: a home that goes with the process, and the plugins on the path, as Airflow has them."""

import os
import sys
from tempfile import TemporaryDirectory

from pipeline.resources import ROOT

_HOME = TemporaryDirectory(prefix="airflow-", ignore_cleanup_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(ROOT / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(ROOT / "plugins")
sys.path.insert(0, str(ROOT / "plugins"))
