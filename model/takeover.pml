/*
 * Lease, fence, pulse, takeover and publish of one named process, a poller with one channel: as src/kernel, its scripts
 * and the publish script of src/polling do it.
 *
 * Each atomic step is one operation of Redis or one synchronous piece of a node's code. Between any two of them a node
 * may stand still for as long as it likes: a pause, of the process, its machine or its network, needs no step of its own.
 *
 * Time is abstract. A lease runs out at its owner before it runs out in Redis: that is what counting from before the
 * request and the drift margin are for, and all that is assumed of clocks. It may run out whenever renewals fail.
 *
 * What must hold:
 *   A  a node queries only while its lease is alive, and while no other node's is; but for a false alarm, when a living
 *      owner's grant is replaced, and for a lock's Redis that has lost its data
 *   B  fences strictly rise, also when the lock's Redis has lost the last one
 *   C  nobody sees the past after the present: no published result is older than one published before
 *   D  whatever dies, in the end the last result is the one that is shown: nothing stays without an owner
 *
 * Mutations, one at a time, each of which must break the property behind it:
 *   NOFENCE     nobody compares fences                                      C
 *   NOCLOCK     a fence is the last one plus one, whatever was lost         B
 *   NODEADLINE  an owner does not look at its lease's deadline              A
 *   NOCAS       a grant is replaced by whoever means to, unseen             A
 *   NOEXPIRY    leases do not run out in Redis                              D, when an owner hangs
 *   NOPULSE     nobody counts pulses, and leases do not run out either      D, when an owner dies
 *   NOFORGET    an owner trusts its last answer after a publish without one D
 */

/* Those of the properties that are looked at; all of them, if not said otherwise. */
#define A 1
#define B 2
#define C 4
#define D 8
#ifndef PROPERTIES
#define PROPERTIES (A + B + C + D)
#endif
#define MUST(property, holds) assert(!((PROPERTIES) & (property)) || (holds))

#ifndef NODES
#define NODES 3
#endif

/* How often the result changes, between two contents: it may well be again what it was before. */
#ifndef CHANGES
#define CHANGES 2
#endif
#define CONTENT(version) ((version) & 1)
#define UNKNOWN 2

/*
 * How many faults there may be, of any kinds: a node dies or hangs; the pulse of a living owner seems gone; a lease runs
 * out at a living owner; a request stays without an answer; the lock's Redis loses its data.
 */
#ifndef FAULTS
#define FAULTS 2
#endif
#define FAULT faults < FAULTS -> faults++

/* A lease's value: which node, in which grant. 0: the name is free. */
#define VALUE(grant, node) ((grant) * NODES + (node) + 1)
#define HOLDER(value) (((value) - 1) % NODES)

/* Redis: the lock, the last fence minted; the record's fence, the frames' fence, the version that was published last. */
byte lease, lastFence, recordFence, framesFence, shown;

/* Postgres: the result's version. */
byte current;

/* The nodes. `believes`: Lease.alive() by the node's own clocks, for its grant `mine`. */
bool believes[NODES];
byte mine[NODES];
bool dead[NODES];
bool hung[NODES];
#define GONE(node) (dead[node] || hung[node])

/* Publishes on their way, in order per node: version, fence, number. They arrive though their sender has died. */
chan wire[NODES] = [2] of { byte, byte, byte };
/* The answer to publish number `asks`. */
mtype = { none, yes, no };
mtype reply[NODES] = none;
byte asks[NODES];

byte grants, minted, believers;
byte faults, gone;
/* Two owners may believe at the same time from here on. */
bool excused;
byte topFence;

inline believe() {
  grants++;
  lease = VALUE(grants, me);
  mine[me] = lease;
  believes[me] = true;
  believers++
}

inline doubt(node) {
  if
  :: believes[node] -> believes[node] = false; believers--
  :: else
  fi
}

inline forget() {
  doubt(me);
  mine[me] = 0;
  fence = 0;
  known = 0;
  seen = 0;
  from = 0
}

#ifdef NODEADLINE
#define MAY_GO_ON true
#else
#define MAY_GO_ON believes[me]
#endif

#ifdef NOFENCE
#define REFUSED(seenBefore) false
#else
#define REFUSED(seenBefore) (seenBefore > fence)
#endif

proctype Node(byte me) {
  byte fence, known, seen, from;
  {
    goto vacant;
vacant:
end_vacant:
    if
    :: d_step { lease == 0 -> believe() }; goto granted
    /* The holder is read here, and its grant replaced in a later step. */
#ifndef NOPULSE
    :: d_step { lease != 0 && HOLDER(lease) != me && dead[HOLDER(lease)] -> from = lease }
#endif
    :: d_step { lease != 0 && HOLDER(lease) != me && !GONE(HOLDER(lease)) && FAULT;
                excused = true; from = lease }
    /* Our own grant, given up when in doubt and still standing there. */
    :: d_step { lease != 0 && HOLDER(lease) == me -> from = lease }
    fi;
    atomic {
      if
#ifdef NOCAS
      :: lease != 0 -> believe(); from = 0
#else
      :: lease == from -> believe(); from = 0
#endif
      :: else -> from = 0; goto vacant
      fi
    };

granted:
    if
    :: true
    :: atomic { FAULT; forget(); goto vacant }
    fi;
    /* Minted while the lock is still ours. The clock of Redis has moved on since any fence that was ever minted. */
    atomic {
      if
      :: lease == mine[me] ->
         minted++;
         fence = lastFence + 1;
#ifndef NOCLOCK
         fence = (fence > minted -> fence : minted);
#endif
         MUST(B, fence > topFence);
         topFence = fence;
         lastFence = fence
      :: else -> goto over
      fi
    };
    /* The process's record. */
    atomic {
      if
      :: REFUSED(recordFence) -> goto over
      :: else -> recordFence = fence
      fi
    };
    /* The frames: from here on nothing of a former owner is accepted. */
    if
    :: MAY_GO_ON
    :: else -> goto over
    fi;
    atomic {
      if
      :: REFUSED(framesFence) -> goto over
      :: else -> framesFence = fence
      fi
    };
    known = CONTENT(shown);

polling:
end_polling:
    if
    /* Asks only where there is something new, or there would be no end. */
    :: d_step { MAY_GO_ON && CONTENT(current) != known ->
                MUST(A, excused || (believes[me] && believers == 1)) }
    :: !(MAY_GO_ON) || lease != mine[me] -> goto over
    fi;
    seen = current;
    atomic {
      if
      :: MAY_GO_ON -> wire[me]!seen, fence, asks[me]
      :: else -> goto over
      fi
    };
    if
    :: atomic { reply[me] == yes -> known = CONTENT(seen) }
    :: atomic { reply[me] == no -> reply[me] = none; goto over }
    :: atomic { reply[me] == none && FAULT;
                asks[me]++;
#ifndef NOFORGET
                known = UNKNOWN
#endif
              }
    fi;
    atomic { reply[me] = none; seen = 0; goto polling };

over:
    /* Stops, and releases what may still be its own. */
    atomic {
      if
      :: lease == mine[me] -> lease = 0
      :: else
      fi;
      forget();
      goto vacant
    }
  } unless { GONE(me) }
}

/* The publish script. */
proctype Frames(byte node) {
  byte version, fence, number;
end:
  do
  :: d_step {
       wire[node]?version, fence, number ->
       if
       :: REFUSED(framesFence) ->
          if
          :: number == asks[node] -> reply[node] = no
          :: else
          fi
       :: else ->
          framesFence = fence;
          MUST(C, version >= shown);
          shown = version;
          if
          :: number == asks[node] -> reply[node] = yes
          :: else
          fi
       fi;
       version = 0; fence = 0; number = 0
     }
  od
}

/* What befalls a node. */
proctype Fate(byte node) {
end:
  do
  :: d_step { gone < NODES - 1 && !GONE(node) && FAULT; gone++; dead[node] = true; doubt(node) }
  :: d_step { gone < NODES - 1 && !GONE(node) && FAULT; gone++; hung[node] = true }
  :: d_step { hung[node] && believes[node] -> doubt(node) }
  :: d_step { !GONE(node) && believes[node] && FAULT; doubt(node) }
  od
}

/* What befalls Postgres and Redis. */
proctype World() {
end:
  do
  :: d_step { current < CHANGES -> current++ }
  :: d_step { lease != 0 && FAULT; lease = 0; lastFence = 0; excused = true }
#if !defined(NOEXPIRY) && !defined(NOPULSE)
  /* A lease runs out in Redis after it has run out at its owner. */
  :: d_step { lease != 0 && !(believes[HOLDER(lease)] && mine[HOLDER(lease)] == lease) -> lease = 0 }
#endif
  od
}

/* When nothing can happen any more. */
proctype End() {
  timeout -> MUST(D, CONTENT(shown) == CONTENT(current))
}

init {
  byte node;
  atomic {
    for (node : 0 .. NODES - 1) {
      run Node(node);
      run Frames(node);
      run Fate(node)
    }
    run World();
    run End()
  }
}
