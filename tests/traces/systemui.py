"""Android's recording of its system UI: 786,454 lines, 393 threads.

It belongs to the Android Open Source Project (system/extras, memory_replay/traces), not to this
repository. Tests that read it are skipped if it has not been downloaded.
"""

import os
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SYSTEMUI = Path(
    os.environ.get("ALLOCSIM_SYSTEMUI") or REPOSITORY.parent / "shared" / "traces" / "systemui.zip"
)

needs_systemui = pytest.mark.skipif(
    not SYSTEMUI.exists(),
    reason="Android's systemui.zip was not found: download it from AOSP's system/extras, "
    "memory_replay/traces, and set ALLOCSIM_SYSTEMUI to its path",
)
