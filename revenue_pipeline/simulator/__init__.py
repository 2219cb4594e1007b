"""The simulator: try everything without an account anywhere.

Belongs here: a generated `World` of users, ads and money; `land`, which writes it down as landing files; and the
`Simulator`, which answers over HTTP as the partners do, faults included (one module per partner). `demo.yaml` holds the
settings that fit. Does not belong here: anything the pipeline needs to run, and any import of the pipeline. The two
meet over files and HTTP only, so the simulator can never agree with the pipeline by sharing its mistakes.
"""

from revenue_pipeline.simulator.landing import land
from revenue_pipeline.simulator.server import Simulator
from revenue_pipeline.simulator.world import World

__all__ = ["Simulator", "World", "land"]
