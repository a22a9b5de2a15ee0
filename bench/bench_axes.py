"""What the gate's logistic regression of images gains by looking along few principal axes.

    python -m bench.bench_axes [--axes=64,128,256,512]

HAM10000 at 28x28x3 from ``ASSAY_DATA``, seven classes; the first of five folds into which lesions are dealt
whole. Macro one-vs-rest AUC, CPU-seconds of one fit on one thread.
"""

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from assay.gate import linear
from assay.preprocess import fit as preprocess
from assay.study.plans import CleanPlan
from bench.bench_images import folds_of, skin


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--axes", default="64,128,256,512")
    asked = parser.parse_args(arguments)
    images = skin()
    test = folds_of(images, np.arange(len(images.labels)), 0) == 0
    plan = CleanPlan.model_validate(images.plan)
    preparation = preprocess.fit(images.pixels[~test], plan)
    rows, unseen = (
        preparation.apply(images.pixels[part]).astype(np.float64)
        for part in (~test, test)
    )
    variances = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    print(f"{len(rows):,} images, {rows.shape[1]:,} pixels; {len(unseen):,} to score")
    print("axes  variance    AUC  CPU s")
    for most in map(int, asked.axes.split(",")):
        begun = time.process_time()
        with threadpool_limits(1):
            odds = linear.logistic(rows, images.labels[None, ~test], unseen, 7, most)
        cost = time.process_time() - begun
        area = roc_auc_score(images.labels[test], odds[0], multi_class="ovr")
        kept = variances[:most].sum() / variances.sum()
        print(f"{most:4}  {kept:8.4f}  {area:.3f}  {cost:5.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
