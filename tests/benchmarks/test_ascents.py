"""An ascent as a side: where bfloat16 is measured, image-steps a second, all channels."""

from types import SimpleNamespace

import pytest

from benchmarks import ascents
from tests.benchmarks.conftest import LAYER, SIZE


@pytest.mark.parametrize(
    ("device", "cpuinfo", "has"),
    [
        ("GPU NVIDIA H200 (jax)", "", True),
        ("CPU, 2 cores (jax)", "flags : sse4_2 amx_bf16 x", True),
        ("CPU, 2 cores (jax)", "flags : sse4_2 avx512f", False),
    ],
)
def test_bfloat16_is_measured_where_the_device_has_it(monkeypatch, tmp_path, device, cpuinfo, has):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(ascents.backend, "device_name", lambda: device)
    monkeypatch.setattr(ascents, "Path", lambda _: tmp_path / "cpuinfo")
    assert ascents.has_bfloat16() is has


def test_image_steps_a_second(monkeypatch):
    clock = iter([10.0, 14.0])
    monkeypatch.setattr(ascents.compare, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    asked = []
    assert ascents.speed(asked.append, 8, 5)() == 8 * 5 / 4.0 and asked == [5]


def test_channels_of_all_convolutions(tiny):
    assert ascents.all_channels(tiny) == 4


def test_the_same_steps_can_be_run_again(tiny):
    run = ascents.ours(tiny, LAYER, SIZE, 2, 2, "float32")
    run(2)
    run(2)
