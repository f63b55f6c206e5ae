"""The union of the tasks' configurations."""

from typing import Annotated

from pydantic import Field

from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.images.config import ImagesConfig
from zoogen.tasks.torchgfn.config import TorchgfnConfig

# A further task joins here and in `registry.py`.
AnyTaskConfig = HypergridConfig | TorchgfnConfig | ImagesConfig
TaskConfig = Annotated[AnyTaskConfig, Field(discriminator="kind")]
