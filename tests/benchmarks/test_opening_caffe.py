"""Opening a real Caffe file, timed."""

from benchmarks import opening_caffe


def test_the_real_file_opens(shared, capsys):
    weights = shared / "weights"
    found = opening_caffe.opened(
        weights / "bvlc_googlenet.caffemodel", weights / "bvlc_googlenet.prototxt", rounds=1
    )
    assert [(c.bound, c.at_least) for c in found][:2] == [(1.5, False), (None, True)]
    assert all(value > 0 for c in found for value in c.values)


def test_a_smoke_run_prints_every_claim(shared, capsys):
    files = [
        str(shared / "weights" / f"bvlc_googlenet.{kind}") for kind in ("caffemodel", "prototxt")
    ]
    assert opening_caffe.main([*files, "--quick"]) == 0
    assert capsys.readouterr().out.count("\nquick: ") == 5
