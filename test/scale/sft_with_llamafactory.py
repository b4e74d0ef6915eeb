"""LLaMA-Factory's own SFT on an exported folder, on CPU and without torchvision and torchaudio.

    python sft_with_llamafactory.py EXPORT/sft.yaml [key=value]...

Its environment is that of test/stages/load_with_llamafactory.py. The processor is put together from the parts that need no
torchvision; everything else is what `llamafactory-cli train` runs.
"""

import importlib.machinery
import os
import sys
import types

os.environ.update(HF_HUB_OFFLINE="1", DISABLE_VERSION_CHECK="1", WANDB_DISABLED="true", CUDA_VISIBLE_DEVICES="")
# Imported where pictures are read, used for sound alone.
silence = types.ModuleType("torchaudio")
silence.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
sys.modules["torchaudio"] = silence

from llamafactory.model import loader
from llamafactory.train.tuner import run_exp
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil


class PictureProcessor:
    """What the template and the collator use of a processor."""

    @classmethod
    def from_pretrained(cls, path, **_):
        one = cls()
        one.image_processor = Qwen2VLImageProcessorPil.from_pretrained(path)
        # There must be one; no sample has a film.
        one.video_processor = object()
        return one

    def save_pretrained(self, folder):
        self.image_processor.save_pretrained(folder)


loader.AutoProcessor = PictureProcessor
run_exp()
