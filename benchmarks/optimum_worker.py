"""Runs in an environment with Optimum and without dummyio; times Optimum's generators on request from standard input."""

from __future__ import annotations

import sys
import time
from importlib.metadata import version


def main(folder: str) -> None:
    from optimum.exporters.onnx.model_configs import BertOnnxConfig
    from transformers import AutoConfig

    config = BertOnnxConfig(AutoConfig.from_pretrained(folder), task="fill-mask")
    names = list(config.inputs)
    generator, *_ = config._create_dummy_input_generator_classes()
    works = {
        "generators-np": lambda: {name: generator.generate(name, framework="np") for name in names},
        "generators-pt": lambda: {name: generator.generate(name, framework="pt") for name in names},
        "config-np": lambda: config.generate_dummy_inputs(framework="np"),
        "config-pt": lambda: config.generate_dummy_inputs(framework="pt"),
    }
    print(f"Optimum {version('optimum')}", flush=True)
    for line in sys.stdin:
        name, times = line.split()
        work = works[name]
        start = time.thread_time()
        for _ in range(int(times)):
            work()
        print((time.thread_time() - start) / int(times), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
