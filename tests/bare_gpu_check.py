"""gpu_check with nothing installed but what `pip install keras jax numpy pyyaml` brings."""

import importlib.machinery
import runpy
import sys

_BROUGHT = {"keras", "jax", "jaxlib", "numpy", "yaml", "_yaml"}
# What those depend on.
_BROUGHT |= {"absl", "h5py", "markdown_it", "mdurl", "ml_dtypes", "namex", "opt_einsum", "optree"}
_BROUGHT |= {"packaging", "pygments", "rich", "scipy", "typing_extensions"}
_BROUGHT |= {"coverage"}  # the tests' own


class BareFinder(importlib.machinery.PathFinder):
    """Finds nothing else among installed packages."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        spec = super().find_spec(fullname, path, target)
        places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or [])]
        if any("site-packages" in str(place) for place in places):
            top = fullname.partition(".")[0]
            return spec if top in _BROUGHT or top == "wavegan_rc" else None
        return spec


if __name__ == "__main__":
    finders = sys.meta_path
    finders[finders.index(importlib.machinery.PathFinder)] = BareFinder
    runpy.run_module("benchmarks.gpu_check_command", run_name="__main__", alter_sys=True)
