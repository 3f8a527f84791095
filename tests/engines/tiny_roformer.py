"""A RoFormer of random weights, small enough for tests. Run where PyTorch and audio-separator are.

``python tiny_roformer.py FOLDER KIND TARGET`` writes ``tiny.ckpt`` and ``tiny.yaml``; KIND is ``bs`` or
``mel``, TARGET the stem it gives, or ``all``.
"""

import importlib.util
import sys
import types
from pathlib import Path

import torch
import yaml

spec = importlib.util.find_spec("audio_separator")
inner = types.ModuleType("audio_separator.separator")
inner.__path__ = [f"{place}/separator" for place in spec.submodule_search_locations]
sys.modules["audio_separator.separator"] = inner
if sys.argv[2] == "bs":
    from audio_separator.separator.uvr_lib_v5.roformer.bs_roformer import BSRoformer as Kind

    bands = {"freqs_per_bands": (25,) * 41}
else:
    from audio_separator.separator.uvr_lib_v5.roformer.mel_band_roformer import MelBandRoformer as Kind

    bands = {"num_bands": 8, "sample_rate": 44_100}
target = None if sys.argv[3] == "all" else sys.argv[3]
model = {
    "dim": 16,
    "depth": 1,
    "stereo": True,
    "num_stems": 1 if target else 2,
    "time_transformer_depth": 1,
    "freq_transformer_depth": 1,
    "dim_head": 8,
    "heads": 2,
    "flash_attn": True,
    "mask_estimator_depth": 1,
    "stft_n_fft": 2048,
    "stft_hop_length": 441,
    "stft_win_length": 2048,
    **bands,
}
torch.manual_seed(1)
folder = Path(sys.argv[1])
folder.mkdir(parents=True)
torch.save(Kind(**model).state_dict(), folder / "tiny.ckpt")
config = {
    "audio": {"chunk_size": 44_100, "sample_rate": 44_100, "hop_length": 441},
    "model": model,
    "training": {"instruments": ["other", "vocals"], "target_instrument": target},
    "inference": {"num_overlap": 2},
}
(folder / "tiny.yaml").write_text(yaml.dump(config), encoding="utf-8")
