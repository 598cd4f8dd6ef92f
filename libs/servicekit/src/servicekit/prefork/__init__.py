"""Several processes for one service on one port: a supervisor and its workers (docs/operations.md).

The supervisor imports and builds everything and then forks, so that workers share what is loaded. It accepts
the connections and hands each to the worker that has the fewest: kept-alive connections spread evenly, those
that wait are not lost with a worker, and nobody else can listen on the port.
"""
