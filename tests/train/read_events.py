"""read_events.py FOLDER: the scalars that TensorBoard finds there, as JSON: {tag: [[step, value], ...]}."""
import json, sys

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={SCALARS: 0})
events.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
