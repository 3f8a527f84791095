"""A Demucs of random weights, small enough for tests. Run by an interpreter that has PyTorch.

``python tiny_demucs.py make FOLDER SEGMENT [COUNT] [SOURCE ...]`` saves COUNT models as the Demucs family is
saved; ``python tiny_demucs.py whole FOLDER IN OUT`` separates a raw float32 stereo file at 44.1 kHz in one
piece with the library's own code, as the truth to compare with.
"""

import sys
from fractions import Fraction
from pathlib import Path


def make(folder: Path, segment: str, count: int, sources: list[str]) -> None:
    """Save models that were never trained; equal seeds make equal models."""
    import torch
    from demucs_infer.htdemucs import HTDemucs

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        torch.manual_seed(number)
        kwargs = {
            "sources": sources,
            "channels": 8,
            "growth": 2,
            "depth": 4,
            "bottom_channels": 16,
            "t_layers": 2,
            "t_heads": 2,
            "segment": Fraction(segment),
            "samplerate": 44_100,
        }
        model = HTDemucs(**kwargs)
        package = {"klass": HTDemucs, "args": (), "kwargs": kwargs, "state": model.state_dict()}
        torch.save(package, folder / f"tiny{number}.th")


def whole(folder: Path, source: Path, target: Path) -> None:
    """The first model's voice stem of a whole file, by the library itself, without shifts."""
    import numpy as np
    import torch
    from demucs_infer.api import Separator

    separator = Separator("tiny0", repo=folder, device="cpu", shifts=0, overlap=0.25)
    mix = torch.from_numpy(np.fromfile(source, dtype="<f4").reshape(-1, 2).T.copy())
    _, stems = separator.separate_tensor(mix)
    np.ascontiguousarray(stems["vocals"].numpy().T, dtype="<f4").tofile(target)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(
            Path(sys.argv[2]),
            sys.argv[3],
            int((sys.argv[4:] or ["1"])[0]),
            sys.argv[5:] or ["drums", "bass", "other", "vocals"],
        )
    else:
        whole(*(Path(name) for name in sys.argv[2:5]))
