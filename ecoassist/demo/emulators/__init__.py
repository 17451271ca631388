"""Stand-ins for three web APIs under their real host names: weather, stock prices and places.

For the demo and the tests, which must not depend on the network, on keys that cost money or on today's weather. Fields,
parameters and errors follow the services' documentation; the values are invented, plausible, and the same in every run.
"""

from .server import SERVICES, Emulators, Request, Service

__all__ = ["SERVICES", "Emulators", "Request", "Service"]
