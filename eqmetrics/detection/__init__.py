"""Detection: the overlap of boxes, and how well objects are found."""

from ._box_iou import BoxIoU as BoxIoU
from ._boxes import box_iou as box_iou, Boxes as Boxes
from ._detection_buffer import DetectionBuffer as DetectionBuffer
from ._detection_report import DetectionReport as DetectionReport
from ._mean_average_precision import MeanAveragePrecision as MeanAveragePrecision
from ._mean_average_recall import MeanAverageRecall as MeanAverageRecall
from ._similarity_buffer import SimilarityBuffer as SimilarityBuffer
