"""The log, where causes go: a caller is told the correlation id alone."""

import logging
from uuid import uuid4


def log_cause(cause: object) -> str:
    """Logs what went wrong inside; gives the correlation id of that entry."""
    correlation_id = str(uuid4())
    logging.getLogger(__name__).error("%s: %s", correlation_id, cause)
    return correlation_id
