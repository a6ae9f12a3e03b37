/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pool with objects of the sizes that real pages get, and three ways to make
 * holes in it. The same seed gives the same objects, in the same zspages, in
 * every version with one chain size. With other fullness groups free_random()
 * leaves them elsewhere: zs_malloc() takes any zspage of the fullest group.
 */
#define NR_OBJS		40000
#define NR_OWNERS	64
/* How many owners allocate at the same time. */
#define NR_ACTIVE	4

struct object {
	unsigned long handle;
	unsigned int size;
	/* Its content starts with this. */
	u32 stamp;
	u8 owner, kind;
};

static struct zs_pool *pool;
static struct rnd_state rnd;
static struct object *objs;
static int nr_objs;
/* How much of an object has content */
static int content = 16;

/*
 * Sizes in bytes of 4 KiB pages compressed by lzo-rle, pages of one repeated
 * word left out: the smallest, the largest, and 15 sizes at equal distances in
 * between in the sorted list of 28070 pages of the heap of a Python process
 * that holds syntax trees, of 7591 pages of the kernel's documentation, and of
 * 14535 pages of programs in /usr/bin.
 */
enum { HEAP, TEXT, BINARY, NOISE };

#define NR_SIZES	17

static const u16 sizes[][NR_SIZES] = {
	{ 46, 373, 692, 778, 832, 875, 908, 946, 1002, 1136, 1190, 1230, 1282,
	  1362, 1424, 1580, 3519 },
	{ 72, 1604, 1901, 2080, 2195, 2279, 2351, 2405, 2454, 2498, 2544, 2589,
	  2637, 2691, 2758, 2861, 3940 },
	{ 50, 1056, 1421, 1803, 2003, 2241, 2370, 2519, 2638, 2799, 3007, 3152,
	  3251, 3341, 3436, 3551, 4123 },
};

static u32 below(u32 n)
{
	return prandom_u32_state(&rnd) % n;
}

/* As zram does, all of a page that compresses badly. */
static unsigned int draw_size(int kind)
{
	const u16 *of = sizes[min(kind, (int)BINARY)];
	u32 at = below(NR_SIZES - 1), size = of[at];

	size += below(of[at + 1] - size + 1);
	return kind == NOISE || size >= zs_huge_class_size(pool) ? PAGE_SIZE :
	       size;
}

/* Half of the pages are from a heap; one in 16 is random data. */
static unsigned int draw_any_size(void)
{
	u32 kind = below(16);

	return draw_size(kind < 8 ? HEAP : kind < 12 ? TEXT :
			 kind < 15 ? BINARY : NOISE);
}

static int fill(struct object *obj, u32 *buf)
{
	int len = min(content, (int)obj->size) / sizeof(*buf);

	for (int i = 0; i < len; i++)
		buf[i] = obj->stamp + i * 0x9e3779b9;
	return len * sizeof(*buf);
}

static void put(struct object *obj, unsigned int size)
{
	static u32 stamp;
	u32 buf[PAGE_SIZE / 4];

	obj->size = size;
	obj->stamp = stamp++;
	obj->handle = zs_malloc(pool, obj->size, GFP_KERNEL, NUMA_NO_NODE);
	BUG_ON(IS_ERR_VALUE(obj->handle));
	zs_obj_write(pool, obj->handle, buf, fill(obj, buf));
	BUG_ON(shim_nr_locked);
}

/* Its content must be there, also if the pool is compacted meanwhile. */
static void drop(struct object *obj)
{
	u32 want[PAGE_SIZE / 4], copy[PAGE_SIZE / 4];
	int len = fill(obj, want);
	void *is;

	is = zs_obj_read_begin(pool, obj->handle, obj->size, copy);
	if (content == PAGE_SIZE && obj->stamp % 1024 == 0)
		zs_compact(pool);
	BUG_ON(memcmp(is, want, len));
	zs_obj_read_end(pool, obj->handle, obj->size, is);
	zs_free(pool, obj->handle);
	obj->handle = 0;
	BUG_ON(shim_nr_locked);
}

static void create_pool(int nr)
{
	prandom_seed_state(&rnd, 1);
	nr_objs = nr;
	objs = calloc(nr, sizeof(*objs));
	pool = zs_create_pool("native");
	BUG_ON(!objs || !pool);
}

static void destroy_pool(void)
{
	for (int i = 0; i < nr_objs; i++)
		if (objs[i].handle)
			drop(&objs[i]);
	zs_destroy_pool(pool);
	free(objs);
	BUG_ON(shim_nr_used || shim_work);
}

static void create_pattern(void)
{
	int active = NR_OBJS * NR_ACTIVE / NR_OWNERS;

	create_pool(NR_OBJS);
	for (int i = 0; i < NR_OBJS; i++) {
		objs[i].owner = i / active * NR_ACTIVE + below(NR_ACTIVE);
		put(&objs[i], draw_any_size());
	}
}

static void free_share(u32 percent)
{
	for (int i = 0; i < NR_OBJS; i++)
		if (objs[i].handle && below(100) < percent)
			drop(&objs[i]);
}

/* Objects come and go at random, then 40 % of them go. */
static void free_random(void)
{
	for (int i = 0; i < 2 * NR_OBJS; i++) {
		struct object *obj = &objs[below(NR_OBJS)];

		drop(obj);
		put(obj, draw_any_size());
	}
	free_share(40);
}

/* Every third process exits, and the others free a fifth of what they have. */
static void free_owners(void)
{
	for (int i = 0; i < NR_OBJS; i++)
		if (objs[i].owner % 3 == 0)
			drop(&objs[i]);
	free_share(20);
}

/* Each size class loses a share of its own, from 10 to 70 %. */
static void free_sizes(void)
{
	u8 share[ZS_SIZE_CLASSES];

	for (int i = 0; i < ZS_SIZE_CLASSES; i++)
		share[i] = 10 + below(61);
	for (int i = 0; i < NR_OBJS; i++)
		if (below(100) <
		    share[zs_lookup_class_index(pool, objs[i].size)])
			drop(&objs[i]);
}

static const struct {
	const char *name;
	void (*free)(void);
} patterns[] = {
	{ "random", free_random },
	{ "owners", free_owners },
	{ "sizes", free_sizes },
};
