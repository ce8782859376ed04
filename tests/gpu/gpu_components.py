"""All components: training, prediction and saving are equal on the CPU and the GPU."""

import pytest

from tests.gpu.trained import grouped_adam, thinc_adam, trained
from tests.helpers.fake_gpu.compare import assert_equal_on_gpu
from tests.helpers.pipelines import PIPELINES


@pytest.mark.parametrize("make_sgd", [thinc_adam, grouped_adam])
@pytest.mark.parametrize("name", PIPELINES)
def test_a_component_trains_and_predicts(name, make_sgd):
    assert_equal_on_gpu(lambda: trained(name, make_sgd))
