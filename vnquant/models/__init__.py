"""Models: train, keep and batch-predict the expected 5-session return, its interval and its confidence."""

from vnquant.models.calibration import Calibration
from vnquant.models.config import ModelConfig
from vnquant.models.fingerprint import model_fingerprint
from vnquant.models.forecast import MODEL_FEATURES, ForecastHistory, ForecastModel
from vnquant.models.prediction import Prediction
from vnquant.models.prediction_list import Predictions
from vnquant.models.predictor import LightGBMPredictor, Predictor
from vnquant.models.report import ConfidenceBucket, FoldReport, IcReport, ModelReport
from vnquant.models.session_forecast import SessionForecast, SessionPredictions
from vnquant.models.store import ModelStore, training_cutoff

__all__ = (
    "MODEL_FEATURES",
    "Calibration",
    "ConfidenceBucket",
    "FoldReport",
    "ForecastHistory",
    "ForecastModel",
    "IcReport",
    "LightGBMPredictor",
    "ModelConfig",
    "ModelReport",
    "ModelStore",
    "Prediction",
    "Predictions",
    "Predictor",
    "SessionForecast",
    "SessionPredictions",
    "model_fingerprint",
    "training_cutoff",
)
