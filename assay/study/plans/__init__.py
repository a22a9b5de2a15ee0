"""What a study may declare: its plans, the sections of a plan, their defaults and bounds.

Defaults are those of the protocol; any other key is refused.
"""

from assay.study.plans.audit import Accept, AuditPlan
from assay.study.plans.clean import Alternative, CleanPlan, OutlierPlan, most_levels
from assay.study.plans.columns import (
    DateColumn,
    Drop,
    ImagePlan,
    ListColumn,
    NumberColumn,
)
from assay.study.plans.gate import LEAST_ROWS, GatePlan
from assay.study.plans.label import LabelRule
from assay.study.plans.metric import LOSSES, METRICS_OF
from assay.study.plans.parts import Cleaning, Gating, Judging, PlanName, Tuning
from assay.study.plans.plan import Plan
from assay.study.plans.read import ImageSource, ReadPlan
from assay.study.plans.split import SplitPlan
from assay.study.plans.study import SPENDING, Plans, Study
from assay.study.plans.tune import (
    BoostingSpace,
    ImageSpace,
    LogisticSpace,
    NetSpace,
    TunePlan,
    Tuner,
)

__all__ = [
    "LEAST_ROWS",
    "LOSSES",
    "METRICS_OF",
    "SPENDING",
    "Accept",
    "Alternative",
    "AuditPlan",
    "BoostingSpace",
    "CleanPlan",
    "Cleaning",
    "DateColumn",
    "Drop",
    "GatePlan",
    "Gating",
    "ImagePlan",
    "ImageSource",
    "ImageSpace",
    "Judging",
    "LabelRule",
    "ListColumn",
    "LogisticSpace",
    "NetSpace",
    "NumberColumn",
    "OutlierPlan",
    "Plan",
    "PlanName",
    "Plans",
    "ReadPlan",
    "SplitPlan",
    "Study",
    "TunePlan",
    "Tuner",
    "Tuning",
    "most_levels",
]
