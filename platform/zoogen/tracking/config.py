"""Where runs are tracked."""

from typing import Literal

from pydantic import Field, field_validator

from zoogen.config import Config

SCHEMES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql")


class TrackingConfig(Config):
    """Settings of the tracking. They name no artifact: the same study may be tracked anywhere or nowhere."""

    kind: Literal["mlflow", "none"] = Field("mlflow", description="mlflow, or none for no tracking")
    uri: str | None = Field(
        None,
        description="MLflow store: http://host:port of a server or sqlite:////absolute/path.db; "
        "null: mlflow.db in the artifact root",
    )
    system_metrics: bool = Field(True, description="log the use of processor, memory and disk while a pipeline runs")

    @field_validator("uri")
    @classmethod
    def _known_scheme(cls, value: str | None) -> str | None:
        # The dialect may name a driver, as in postgresql+psycopg2.
        if value is not None and value.partition("://")[0].partition("+")[0] not in SCHEMES:
            raise ValueError(
                f"an MLflow store is a URI with one of {', '.join(SCHEMES)}, such as http://127.0.0.1:5000"
            )
        return value
