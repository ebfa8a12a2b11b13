from facewright.nn import devices, precision_benchmark


def test_tells_the_faster_precision_and_sets_it():
    found = precision_benchmark.compare_precisions(rounds=2)
    assert found.ratio > 0
    assert (found.precision == "bfloat16") == (found.ratio >= precision_benchmark.MIN_SPEEDUP)
    assert f"{found.ratio:.2f} times as fast" in found.describe()
    import keras

    wanted = "mixed_bfloat16" if found.precision == "bfloat16" else "float32"
    assert keras.config.dtype_policy().name == wanted
    devices.precision("float32")
