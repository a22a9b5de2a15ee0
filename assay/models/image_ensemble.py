"""The deep model of images: an ensemble like that of :mod:`assay.models.ensemble`, of convolutional networks."""

from typing import Any, cast

import numpy as np

from assay.models.ensemble import Nets
from assay.models.training_part import Part, nearest
from assay.networks.conv_spec import Augmentation, ImageShape
from assay.networks.spec import Activation
from assay.store.records import Hyperparameters
from assay.study.plans import ImagePlan, ImageSpace

_SMALL = 16  # sides from which a third halving pays


class ImageNets(Nets):
    """Networks for images that stop early on an inner fold."""

    largest_batch = 64

    def __init__(self, part: Part, seed: int, image: ImagePlan) -> None:
        self.image = image
        super().__init__(part, seed)

    def _space_and_first(self) -> tuple[ImageSpace, list[Hyperparameters]]:
        space = self.part.plan.tune.image
        if "shift" not in self.image.augment:
            space = space.model_copy(update={"shift": (0.0,)})
        return space, [untuned(space, min(self.image.height, self.image.width))]

    def _kind(self, known: Hyperparameters, _: int) -> dict[str, Any]:
        image, filters = self.image, int(known["filters"])
        shape = ImageShape(
            height=image.height,
            width=image.width,
            channels=image.channels,
            n_inputs=self.part.whole.inputs.shape[1],
            n_outputs=self.part.n_outputs,
            filters=tuple(filters << block for block in range(int(known["depth"]))),
            activation=cast("Activation", known["activation"]),
        )
        augmentation = Augmentation(
            shift=float(known["shift"]),
            flip="flip" in image.augment,
            rotate="rotate" in image.augment,
        )
        return {"shape": shape, "augmentation": augmentation}


def deep(part: Part, seed: int) -> Nets:
    """Return the deep model that a part's plan asks for."""
    image = part.plan.clean.image
    return Nets(part, seed) if image is None else ImageNets(part, seed, image)


def untuned(space: ImageSpace, side: int) -> Hyperparameters:
    """Return what is good without a search, as near as a space allows."""
    return {
        "depth": nearest(space.depth, 2 if side < _SMALL else 3),
        "filters": nearest(space.filters, 32 if side < _SMALL else 16),
        "activation": space.activation[0],
        "dropout": nearest(space.dropout, 0.2),
        "shift": nearest(space.shift, 0.125),
        "learning_rate": float(np.clip(3e-3, *space.learning_rate)),
        "weight_decay": float(np.clip(2e-2, *space.weight_decay)),
    }
