"""Settings as the environment has them."""

from pipeline.settings import Settings


def variables(settings: Settings) -> dict[str, str]:
    """What leads a process to these settings."""
    lake = {"GRIDGRADE_LAKE": str(settings.lake)} if settings.lake else {}
    return lake | {
        "GRIDGRADE_HOME": str(settings.home),
        "GRIDGRADE_SOURCE_URL": settings.source.render_as_string(hide_password=False),
        "GRIDGRADE_WAREHOUSE_URL": settings.warehouse.render_as_string(hide_password=False),
    }
