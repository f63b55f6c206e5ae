"""Where runs are tracked."""

import os
import re
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from zoogen.config import Config
from zoogen.secrets import masked

SERVERS, DATABASES = ("http", "https"), ("postgresql", "mysql", "mssql")
SCHEMES = ("sqlite", *SERVERS, *DATABASES)
USER_VARIABLE, PASSWORD_VARIABLE = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"  # MLflow's own, of servers


class TrackingConfig(Config):
    """Settings of the tracking. They name no artifact: the same study may be tracked anywhere or nowhere."""

    kind: Literal["mlflow", "none"] = Field("mlflow", description="mlflow, or none for no tracking")
    uri: str | None = Field(
        None,
        description="MLflow store: http://host:port of a server or sqlite:////absolute/path.db; passwords come from "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; null: mlflow.db in the artifact root",
    )
    system_metrics: bool = Field(True, description="log the use of processor, memory and disk while a pipeline runs")

    @field_validator("uri")
    @classmethod
    def _without_secrets(cls, value: str | None) -> str | None:
        if value is not None and _holds_secret(value):
            raise PydanticCustomError(
                "secret",
                "it holds a password, key or token, which would be shown and recorded; leave it out of the URI and set "
                f"{USER_VARIABLE} and {PASSWORD_VARIABLE} (of a server with tokens MLFLOW_TRACKING_TOKEN)",
            )
        return value

    @field_validator("uri")
    @classmethod
    def _known_scheme(cls, value: str | None) -> str | None:
        if value is not None and _scheme(value) not in SCHEMES:
            raise ValueError(
                f"an MLflow store is a URI with one of {', '.join(SCHEMES)}, such as http://127.0.0.1:5000"
            )
        return value

    @property
    def store_uri(self) -> str | None:
        """The URI to open: that of a database has user and password of the environment; never to be shown.

        MLflow itself sends them to a server.
        """
        if self.uri is None or _scheme(self.uri) not in DATABASES:
            return self.uri
        parts = urlsplit(self.uri)
        password = os.environ.get(PASSWORD_VARIABLE)
        user = unquote(parts.username or "") or os.environ.get(USER_VARIABLE, "")
        if password is None and not user:
            return self.uri
        credentials = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
        return parts._replace(netloc=f"{credentials}@{parts.netloc.rpartition('@')[2]}").geturl()


def _scheme(uri: str) -> str:
    """Without the driver of its dialect, as in postgresql+psycopg2."""
    return uri.partition("://")[0].partition("+")[0].lower()


def _holds_secret(uri: str) -> bool:
    """Whether a URI holds what is to be kept: a password, or whatever may be one where nothing else is expected."""
    _, separator, rest = uri.partition("://")
    scheme = _scheme(uri)
    if scheme == "sqlite":
        return masked(uri) != uri
    place = unquote(re.split(r"[?#]", rest)[0])
    if scheme in DATABASES:  # a user alone is none; a password may hold slashes
        return masked(uri) != uri or ":" in place.rpartition("@")[0]
    return masked(uri) != uri or "@" in uri or (bool(separator) and bool(re.search(r"[?#]", rest)))
