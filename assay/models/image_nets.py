"""Convolutional networks for images: their search space, and what a training needs to know of them."""

from typing import Any, cast

import numpy as np

from assay.models.training_part import Part, nearest
from assay.networks.conv_spec import Augmentation, ImageShape
from assay.networks.spec import Activation
from assay.store.records import Hyperparameters
from assay.study.plans import ImagePlan, ImageSpace

_SMALL_SIDE = 16  # pixels from which a third halving of the image pays


class Convolutional:
    """Convolutional networks, trained on images that are moved as the study allows."""

    largest_batch = 64

    def __init__(self, part: Part, image: ImagePlan) -> None:
        self.part, self.image = part, image
        space = part.plan.tune.image
        if "shift" not in image.augment:
            space = space.model_copy(update={"shift": (0.0,)})
        self.space: ImageSpace = space
        self.defaults = [untuned(space, min(image.height, image.width))]

    def settings(self, hyperparameters: Hyperparameters, _: int, /) -> dict[str, Any]:
        """Return shape and augmentation."""
        image, filters = self.image, int(hyperparameters["filters"])
        depth = int(hyperparameters["depth"])
        shape = ImageShape(
            height=image.height,
            width=image.width,
            channels=image.channels,
            n_inputs=self.part.whole.inputs.shape[1],
            n_outputs=self.part.n_outputs,
            filters=tuple(filters << block for block in range(depth)),
            activation=cast("Activation", hyperparameters["activation"]),
        )
        augmentation = Augmentation(
            shift=float(hyperparameters["shift"]),
            flip="flip" in image.augment,
            rotate="rotate" in image.augment,
        )
        return {"shape": shape, "augmentation": augmentation}


def untuned(space: ImageSpace, side: int) -> Hyperparameters:
    """Return hyperparameters that are good without a search, as near as a space allows."""
    return {
        "depth": nearest(space.depth, 2 if side < _SMALL_SIDE else 3),
        "filters": nearest(space.filters, 32 if side < _SMALL_SIDE else 16),
        "activation": space.activation[0],
        "dropout": nearest(space.dropout, 0.2),
        "shift": nearest(space.shift, 0.125),
        "learning_rate": float(np.clip(3e-3, *space.learning_rate)),
        "weight_decay": float(np.clip(2e-2, *space.weight_decay)),
    }
