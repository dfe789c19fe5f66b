"""Several devices and machines, by tf.distribute: one batch is cut into equal rows, one for each
replica.

The default strategy, one device, goes through the same code. docs/scaling.md says how to start the
others.
"""

import hashlib
from collections.abc import Sequence

import keras
import tensorflow as tf

from errors import UserError, reason
from settings.training import STRATEGIES
from training.rendezvous import meet


def make_strategy(name: str, *, worker_timeout: float = 600.0) -> tf.distribute.Strategy:
    """The tf.distribute strategy of that name; must be called before any other use of TensorFlow.

    single: one device. mirrored: all GPUs of this machine. multiworker: the processes that
    TF_CONFIG lists, one or more devices each. tpu: the TPU of this virtual machine (written from
    the documentation, never tried).
    worker_timeout: seconds to wait for the other workers. Raises UserError where it cannot be set
    up.
    """
    try:
        if name == "single":
            return tf.distribute.get_strategy()
        if name == "mirrored":
            gpus = tf.config.list_logical_devices("GPU")
            return tf.distribute.MirroredStrategy([d.name for d in gpus or tf.config.list_logical_devices("CPU")])
        if name == "multiworker":
            resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
            addresses = _addresses(resolver)
            if len(addresses) > 1:
                if resolver.task_id is None:
                    raise ValueError("TF_CONFIG names no task")
                meet(addresses, _index(resolver), seconds=worker_timeout)
            return tf.distribute.MultiWorkerMirroredStrategy()
        if name == "tpu":
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver("local")
            tf.config.experimental_connect_to_cluster(resolver)
            tf.tpu.experimental.initialize_tpu_system(resolver)
            return tf.distribute.TPUStrategy(resolver)
    except (ValueError, KeyError, TypeError, RuntimeError, tf.errors.OpError) as error:  # TF_CONFIG is read unchecked
        raise UserError(f"--strategy={name}: cannot be set up ({reason(error, 300)})") from error
    raise ValueError(f"strategy {name!r}: choose one of {', '.join(STRATEGIES)}")


def worker() -> tuple[int, int]:
    """(index, count) of this process among the workers; (0, 1) where there is but one."""
    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 0, 1
    resolver = strategy.cluster_resolver
    return _index(resolver), len(_addresses(resolver))


def _addresses(resolver):
    hosts = resolver.cluster_spec().as_dict()
    return [*hosts.get("chief", []), *hosts.get("worker", [])]


def _index(resolver):
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
    return resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)


def is_chief() -> bool:
    """Whether this process writes checkpoints, logs, weights and reports."""
    return worker()[0] == 0


def check_batch_size(batch_size: int, *, parts: int) -> None:
    """Raises UserError where a batch does not split evenly over the replicas and the parts of an
    accumulated update.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if batch_size % (replicas * parts):
        raise UserError(
            f"--batch_size={batch_size}: does not split evenly over {replicas} devices, --accumulate={parts} times each"
        )


def distribute(batch: tuple[tf.Tensor, ...]) -> tuple:
    """A tuple of this worker's rows, as `strategy.run` takes it: an equal share for each of its
    devices.
    """
    strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync == 1:
        return batch
    local = strategy.num_replicas_in_sync // worker()[1]
    rows = [tf.split(tensor, local) for tensor in batch]
    return tuple(
        strategy.experimental_distribute_values_from_function(
            lambda context, share=share: share[context.replica_id_in_sync_group % local]
        )
        for share in rows
    )


def whole_batch(tensor: tf.Tensor) -> tf.Tensor:
    """Inside a replica: the rows of all replicas, for what is no mean of independent rows.

    Gradients flow through.
    """
    context = tf.distribute.get_replica_context()
    return tensor if context.num_replicas_in_sync == 1 else context.all_gather(tensor, axis=0)


def synchronise_batch_statistics(model: keras.Model) -> keras.Model:
    """Let the batch normalisation of a network see the whole batch where several devices
    share it.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
    return model


def share_from_chief(variables: Sequence[tf.Variable]) -> None:
    """Give every worker the chief's values, bit by bit: the others need not see its files."""
    if worker()[1] == 1:
        return
    strategy = tf.distribute.get_strategy()
    mine = is_chief()

    @tf.function
    def send(values):
        return strategy.run(_sum_over_replicas, args=(values,))

    bits = [_to_bits(tf.convert_to_tensor(variable)) for variable in variables]
    sums = send(bits if mine else [tf.zeros_like(value) for value in bits])
    for variable, value in zip(variables, sums, strict=True):
        variable.assign(_from_bits(strategy.experimental_local_results(value)[0], variable.dtype))


def _sum_over_replicas(values):
    context = tf.distribute.get_replica_context()
    first = context.replica_id_in_sync_group == 0  # of the chief's devices one speaks
    values = [value * tf.cast(first, value.dtype) for value in values]
    return [context.all_reduce(tf.distribute.ReduceOp.SUM, value) for value in values]


def _to_bits(value):
    if not value.dtype.is_floating:
        return tf.cast(value, tf.int64)
    return tf.bitcast(value, tf.int64 if value.dtype.size == 8 else tf.int32)


def _from_bits(bits, dtype):
    return tf.bitcast(bits, dtype) if dtype.is_floating else tf.cast(bits, dtype)


def agree(number: int) -> int:
    """The chief's whole number, on every worker."""
    if worker()[1] == 1:
        return number
    variable = tf.Variable(int(number), dtype=tf.int64, trainable=False)
    share_from_chief([variable])
    return int(variable.numpy())


def refuse_disagreement(facts: dict[str, str], *, remedy: str) -> None:
    """Raises UserError, on every worker alike, that names the facts in which some worker differs
    from the chief.

    facts: {name: text}, the same names in the same order everywhere. remedy: what to do.
    """
    if worker()[1] == 1:
        return
    digests = [hashlib.sha256(text.encode()).digest()[:7] for text in facts.values()]  # of seven bytes: whole in int64
    mine = tf.constant([int.from_bytes(digest, "big") for digest in digests], tf.int64)
    chiefs = tf.Variable(mine, trainable=False)
    share_from_chief([chiefs])
    strategy = tf.distribute.get_strategy()

    @tf.function
    def count(different):
        return strategy.run(_over_all_replicas, args=(different,))

    counts = count(tf.cast(tf.convert_to_tensor(chiefs) != mine, tf.int64))
    counts = strategy.experimental_local_results(counts)[0].numpy()
    names = [name for name, number in zip(facts, counts, strict=True) if number]
    if names:
        raise UserError(f"the workers differ in {', '.join(names)}; {remedy}")


def _over_all_replicas(values):
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(values))
