"""dill and cloudpickle rebuild the functions they stored."""
# needs: dill, cloudpickle

import cloudpickle
import dill


def outer(n):
    class Local:
        def method(self):
            return n + 1

    return Local(), lambda x: x * n


for module in (cloudpickle, dill):
    value, function = module.loads(module.dumps(outer(3)))
    print(value.method(), function(5))
