"""Sends the generated requests of operations and collects every answer that is not as specified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import requests
import schemathesis
from asgi_client import Answer, Request
from generated_requests import Amounts, Known, Operation, generated_requests
from judge import Family, report

Dress = Callable[[Request, Random], Awaitable[Request]]
Prepare = Callable[[], Awaitable[Known]]
"""Called before each operation: puts right what the last one has spoilt, and tells what there is."""


@dataclass
class Findings:
    """What a run saw.

    :ivar statuses: how often which HTTP status came
    """

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[tuple[Request, Answer | None, list[str]]] = field(default_factory=list)

    def check(self) -> None:
        """Fail with everything that was wrong; also when nothing was sent."""
        assert not self.failures, report(self.failures)
        assert self.statuses, "nothing was sent"


class Stack(Protocol):
    """Whatever takes requests for a service."""

    async def send(self, service: str, request: Request) -> Answer:
        """Send a request whose target lies below the service's context path."""


@dataclass(frozen=True, slots=True)
class FuzzRun:
    """How to reach one service and what it may answer."""

    stack: Stack
    service: str
    family: Family
    amounts: Amounts
    prepare: Prepare

    async def operation(self, operation: Operation, dress: Dress, findings: Findings) -> list[Answer]:
        """Send everything generated for one operation."""
        random = Random(f"{operation.label} dress")
        known = await self.prepare()
        answers = []
        for case, generated in generated_requests(operation, self.amounts, known):
            request = await dress(generated, random)
            try:
                answer = await self.stack.send(self.service, request)
            except Exception as error:  # the server would close the connection: report it with its request
                findings.failures.append((request, None, [f"escaped: {error!r}"]))
                continue
            findings.statuses[answer.status] += 1
            problems = self.family.problems(answer, request.method)
            described = request.method not in ("HEAD", "OPTIONS")
            if answer.status == 200 and described and not _is_documented(operation, request, answer):
                problems.append("not the documented answer")
            if answer.status == 405 and case.method.lower() == operation.method.lower():
                problems.append("the documented method is refused")
            if problems:
                findings.failures.append((request, answer, problems))
            answers.append(answer)
        return answers

    async def operations(self, operations: Sequence[Operation], dress: Dress) -> Findings:
        """Send everything generated for several operations."""
        findings = Findings()
        for operation in operations:
            await self.operation(operation, dress, findings)
        return findings


def _is_documented(operation: Operation, request: Request, answer: Answer) -> bool:
    sent = requests.Request(request.method, "http://localhost" + request.target).prepare()
    headers = {name: [value] for name, value in answer.headers.items()}
    response = schemathesis.Response(answer.status, headers, answer.body, sent, elapsed=0.0, verify=False)
    return bool(operation.is_valid_response(response))
