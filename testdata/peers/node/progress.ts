/** Counts the replies of a call, for code that waits for replies or for the end of the call. */
export class Progress {
	#replies = 0;
	#ended = false;
	#next = Promise.withResolvers<void>();

	get replies(): number {
		return this.#replies;
	}

	get ended(): boolean {
		return this.#ended;
	}

	replied(): void {
		this.#replies += 1;
		this.#wake();
	}

	end(): void {
		this.#ended = true;
		this.#wake();
	}

	/** Resolves when this many replies have arrived, or the call has ended. */
	async reaches(replies: number): Promise<void> {
		while (!this.#ended && this.#replies < replies) await this.#next.promise;
	}

	#wake(): void {
		this.#next.resolve();
		this.#next = Promise.withResolvers();
	}
}
