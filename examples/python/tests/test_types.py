import subprocess
import sys
from pathlib import Path


def test_the_host_and_its_tests_are_typed() -> None:
    mypy = subprocess.run([sys.executable, "-m", "mypy"], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr
