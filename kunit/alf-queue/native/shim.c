// SPDX-License-Identifier: GPL-2.0
/* The spinlock of what alf_queue is compared with. */

/* Test, then test and set: nothing is cheaper between two threads. */
void _raw_spin_lock(spinlock_t *lock)
{
	while (__atomic_exchange_n(&lock->locked, true, __ATOMIC_ACQUIRE))
		while (READ_ONCE(lock->locked))
			cpu_relax();
}
