/** How far a call has come, for what waits on its replies or its end. */
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

	/** Resolves once there have been so many replies, or the call has ended. */
	async reaches(replies: number): Promise<void> {
		while (!this.#ended && this.#replies < replies) await this.#next.promise;
	}

	#wake(): void {
		this.#next.resolve();
		this.#next = Promise.withResolvers();
	}
}
