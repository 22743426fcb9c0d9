# SPDX-License-Identifier: Apache-2.0
"""A real guest process with software evidence, and a job for it."""

from collections.abc import Iterator

import pytest

from enclave.node.host import Guest
from tests.fakes.jobs import ATTESTER, Job


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job.make(tmp_path_factory.mktemp("job"))


@pytest.fixture
def guest() -> Iterator[Guest]:
    """A guest of this test's own."""
    guest = Guest.start(ATTESTER)
    yield guest
    guest.close()


@pytest.fixture(scope="session")
def waiting() -> Iterator[Guest]:
    """A guest that tests share because none of them gets it to accept a grant."""
    guest = Guest.start(ATTESTER)
    yield guest
    guest.close()


@pytest.fixture(scope="session")
def serving(job: Job) -> Iterator[Guest]:
    """A guest that tests share because none of them ends it."""
    guest = Guest.start(ATTESTER)
    job.serve(guest)
    yield guest
    guest.close()
