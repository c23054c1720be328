"""Runs in the environment of the clients: instructor wants objects, by tools and by a form."""

import json
import sys

import instructor
import openai
from pydantic import BaseModel


class Counted(BaseModel):
    """A number of things, and whether they are red."""

    count: int
    is_red: bool


def calls():
    """Yield the name of every call, after it was made."""
    with openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="none", max_retries=0) as client:
        for mode in (instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT, instructor.Mode.JSON_SCHEMA):
            asking = instructor.from_openai(client, mode=mode)
            made = asking.chat.completions.create(
                model="talker",
                response_model=Counted,
                messages=[{"role": "user", "content": "How many?"}],
                max_tokens=200,
                seed=1,
                max_retries=1,
            )
            assert isinstance(made, Counted)
            yield mode.value


print(json.dumps({"calls": list(calls())}))
