"""Artifacts that are valid whatever their numbers: each use gives what the others give, or one line."""

import io
import json
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.compiling import call, library
from support.exporting import TRAINING
from support.hostile import texts

from mlrq.artifacts.documents import (
    FloatArtifact,
    QuantizedArtifact,
    encode_float,
    encode_quantized,
    read_float,
    read_quantized,
)
from mlrq.datasets import memory
from mlrq.errors import MlrqError
from mlrq.export import c, onnx, sklearn
from mlrq.models.linear import LinearModel
from mlrq.pipeline.evaluate import evaluate
from mlrq.pipeline.predict import predict
from mlrq.pipeline.predictions import Options
from mlrq.pipeline.ranges import ranges
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear
from mlrq.quantization.options import SCHEMES
from mlrq.quantization.settings import Settings
